// The type refuses what it is there to refuse.
import type { Board } from './schema';

type AnyPanel = Board['panels'][number];
const place = { x: 0, y: 0, w: 1, h: 1 };
const common = { title: 't', description: 'd', gridPos: place };
const options = { showHeader: true, frameIndex: 0 };
const fieldConfig = { defaults: { custom: {} }, overrides: [] };

const good: AnyPanel = { ...common, type: 'table', options, fieldConfig };
export default good;

// @ts-expect-error a misspelt field of a panel
const field: AnyPanel = { ...common, type: 'table', options, fieldConfig, descripton: '' };
// @ts-expect-error a misspelt option
const option: AnyPanel = { ...common, type: 'table', options: { showHeader: true, frameIndex: 0, showFooter: true }, fieldConfig };
// @ts-expect-error an option of another panel
const other: AnyPanel = { ...common, type: 'stat', options, fieldConfig };
// @ts-expect-error no value of the enum
const value: AnyPanel = { ...common, type: 'table', options: { showHeader: true, frameIndex: 0, cellHeight: 'tiny' }, fieldConfig };
// @ts-expect-error a misspelt custom field
const custom: AnyPanel = { ...common, type: 'table', options, fieldConfig: { defaults: { custom: { aling: 'auto' } }, overrides: [] } };
// @ts-expect-error a panel that we have no type for
const type: AnyPanel = { ...common, type: 'graph', options: {}, fieldConfig };
// @ts-expect-error a misspelt field of a dashboard
const board: Board = { titel: 't', schemaVersion: 39, panels: [], annotations: { list: [] } };
