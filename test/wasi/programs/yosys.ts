/** Yosys: C++ that makes circuits from Verilog. */

import { installed, readInstalled } from "../../programs/program.ts";
import type { WasiCase, WasiProgram } from "./program.ts";

const COUNTER = `module counter(input clk, input reset, output reg [3:0] value);
  always @(posedge clk) if (reset) value <= 0; else value <= value + 1;
endmodule
`;

function yosys(script: string, expected: Omit<WasiCase, "args">): WasiCase {
  return {
    args: ["yosys", "-Q", "-T", "-q", "-s", "/work/script.ys"],
    folders: { "/share": installed("@yowasp/yosys/gen/share") },
    ...expected,
    files: { ...expected.files, "script.ys": script },
  };
}

export const program: WasiProgram = {
  name: "yosys",
  module: () => readInstalled("@yowasp/yosys/gen/yosys.core.wasm"),
  cases: {
    synthesis: yosys("read_verilog /work/counter.v\nprep\nwrite_verilog -noattr /work/out.v\n", {
      files: { "counter.v": COUNTER },
      stdout: "",
      filesAfter: { "out.v": /module counter\(clk, reset, value\);[^]*endmodule/ },
    }),
    mistake: yosys("read_verilog /work/missing.v\n", {
      stdout: "",
      stderr: "ERROR: File `/work/missing.v' not found or is a directory\n",
      exitCode: 1,
    }),
  },
};
