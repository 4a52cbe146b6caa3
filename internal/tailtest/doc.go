// Package tailtest holds the tests of the tail as a whole: the real pipeline,
// source and store, with the real AWS SDK over real HTTP against package awssim,
// while everything that can fail does. Whatever happens, each line must be found
// once: none lost, none counted twice.
//
// It holds tests alone and must never be imported.
package tailtest
