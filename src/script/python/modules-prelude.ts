/** The part of the script's half that imports modules which the host has, in Python: what is not in its library. */

export const MODULES: string = String.raw`
def _modules(files, HostError, ask):
    import sys
    from _frozen_importlib import ModuleSpec

    class Finder:
        """Each may have others within: only the host knows."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            try:
                source = ask("m", (name,))
            except HostError as error:
                raise ModuleNotFoundError("No module named '%s'" % name, name=name) from error
            spec = ModuleSpec(name, Finder, origin=name, is_package=True)
            spec.loader_state = source
            return spec

        @staticmethod
        def create_module(spec):
            return None

        @staticmethod
        def exec_module(module):
            spec = module.__spec__
            files.add(spec.name)
            try:
                exec(compile(spec.loader_state, spec.name, "exec", 0, True), module.__dict__)
            except BaseException:
                module.__getattr__ = lost
                raise
            finally:
                spec.loader_state = None

    def lost(name):
        # Whoever has waited meanwhile has the module, but not what it should have.
        raise ImportError("The script that imported this module has not come to its end")

    sys.meta_path.append(Finder)
`;
