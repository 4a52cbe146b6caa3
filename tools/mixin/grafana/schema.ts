// The dashboards' type: that of @grafana/schema, made as strict as it can be.
// The schema leaves options and custom fields of a panel open, for they belong
// to its plugin; here they are those of the plugins that we use.
import type { Dashboard, FieldConfig, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
import type * as StateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as Table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as TimeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the value of an enum where TypeScript wants its name.
type JSONOf<T> = T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? JSONOf<E>[]
  : T extends object ? { [K in keyof T]: JSONOf<T[K]> }
  : T;

interface Of<Type extends string, Options, Custom> extends Omit<Panel, 'type' | 'options' | 'fieldConfig'> {
  type: Type;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  options: Options;
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfig, 'custom'> & { custom: Partial<Custom> } };
}

type AnyPanel =
  | Of<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig>
  | Of<'state-timeline', StateTimeline.Options, StateTimeline.FieldConfig>
  | Of<'stat', Stat.Options, Record<string, never>>
  | Of<'table', Table.Options, Table.FieldConfig>
  | RowPanel;

// An annotation of a Prometheus data source.
interface Annotation {
  name: string;
  enable: boolean;
  iconColor: string;
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  step: string;
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  useValueForTime: 'false' | 'on';
}

export type Board = JSONOf<Omit<Dashboard, 'panels' | 'annotations'> & { panels: AnyPanel[]; annotations: { list: Annotation[] } }>;
