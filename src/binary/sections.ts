/** Sections of a module: their ids and their order. */

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** Section ids in the order in which sections stand in a module; ids follow the history of the format instead. */
export const SECTION_ORDER: readonly number[] = [
  SECTION.type,
  SECTION.import,
  SECTION.function,
  SECTION.table,
  SECTION.memory,
  SECTION.tag,
  SECTION.global,
  SECTION.export,
  SECTION.start,
  SECTION.element,
  SECTION.dataCount,
  SECTION.code,
  SECTION.data,
];

/** The magic number `\0asm` and version 1. */
export const PREAMBLE: Uint8Array = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Name of the custom section that holds debug names. */
export const NAME_SECTION = "name";

/**
 * Subsections of the name section; those for indices hold a name map, `local`, `label` and `field` a map of name maps.
 */
export const NAME_SUBSECTION = {
  module: 0,
  function: 1,
  local: 2,
  label: 3,
  type: 4,
  table: 5,
  memory: 6,
  global: 7,
  element: 8,
  data: 9,
  field: 10,
  tag: 11,
} as const;
