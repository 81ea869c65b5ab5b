/** Versions of what the compiler makes. */

/** Version of the package. What an older or newer compiler has made is never taken from a cache. */
export const COMPILER_VERSION = "0.1.0";

/**
 * Version of the file format of packaged-module.ts. To be raised by whoever changes that, or anything that the modules and
 * their driver have agreed on: abi.ts, names of imports, the layout of frames. test/transform/packaged has a file of each version.
 */
export const FORMAT_VERSION = 5;
