// Package deploy checks what stands in ../../deploy with the programs that will
// read it, or with their own libraries. It holds tests only; nothing is started
// outside temporary directories.
package deploy
