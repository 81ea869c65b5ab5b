import { quickjs } from "stackful/script/quickjs";
import { javascript } from "./javascript.ts";
import { languageSuite } from "./suite.ts";

languageSuite({ name: "QuickJS", make: () => quickjs(), sources: javascript });
