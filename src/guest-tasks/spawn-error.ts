/** Why a guest cannot have tasks: it was built without something that they need. */
export class SpawnError extends TypeError {
  override readonly name = "SpawnError";

  constructor(reason: string) {
    super(`Cannot spawn: ${reason}`);
  }
}
