/** Edits of guests that take long where the guest is large, so that somebody may keep what they make. */

type Bytes = Uint8Array<ArrayBuffer>;

/** An edit of certain bytes, which always makes the same of the same. */
export interface ModuleEdit {
  /** Tells it from other edits of the same bytes. */
  readonly name: string;
  readonly make: () => Bytes;
}

/** What the edit makes of `bytes`. */
export type EditModule = (bytes: Bytes, edit: ModuleEdit) => Bytes | Promise<Bytes>;

/** Keeps nothing. */
export const makeEdit: EditModule = (_bytes, { make }) => make();
