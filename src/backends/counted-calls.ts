/**
 * The functions that a guest of backend `transform` imports: each counts that a host function is on the native stack, calls it, and
 * tests its answer.
 *
 * One literal for each kind of answer and number of parameters: V8 keeps type feedback for each literal, and inlines the host function
 * into it where it has seen one only. Then they cost nothing that can be measured (4.6 against 4.4 ns for a plain import); with closures
 * in between, 14 ns.
 */

import type { HostFunction } from "../transform/wrap-import.ts";

/** Host functions on the native stack, above the innermost entry into a guest. */
export interface HostDepth {
  depth: number;
}

/** Makes a function that calls `host`, which has `paramCount` parameters, and passes on to `other` what is not the usual answer. */
type CountedCall = (
  host: HostFunction,
  paramCount: number,
  calls: HostDepth,
  other: (answer: unknown) => unknown,
) => HostFunction;

/** For imports with these results. */
export function countedCallFor(results: readonly string[]): CountedCall {
  if (results.length === 0) return callForNothing;
  if (results.length > 1) return callForSeveral;
  if (results[0] === "i32" || results[0] === "f32" || results[0] === "f64") return callForNumber;
  return results[0] === "i64" ? callForBigint : callForReference;
}

const callForNothing: CountedCall = (host, paramCount, calls, other) => {
  if (paramCount === 0) {
    return () => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host();
      } finally {
        calls.depth = depth;
      }
      return answer === undefined ? answer : other(answer);
    };
  }
  if (paramCount === 1) {
    return (a) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a);
      } finally {
        calls.depth = depth;
      }
      return answer === undefined ? answer : other(answer);
    };
  }
  if (paramCount === 2) {
    return (a, b) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b);
      } finally {
        calls.depth = depth;
      }
      return answer === undefined ? answer : other(answer);
    };
  }
  if (paramCount === 3) {
    return (a, b, c) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b, c);
      } finally {
        calls.depth = depth;
      }
      return answer === undefined ? answer : other(answer);
    };
  }
  return callForSeveral(host, paramCount, calls, (answer) => (answer === undefined ? answer : other(answer)));
};

const callForNumber: CountedCall = (host, paramCount, calls, other) => {
  if (paramCount === 0) {
    return () => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host();
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "number" ? answer : other(answer);
    };
  }
  if (paramCount === 1) {
    return (a) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a);
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "number" ? answer : other(answer);
    };
  }
  if (paramCount === 2) {
    return (a, b) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b);
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "number" ? answer : other(answer);
    };
  }
  if (paramCount === 3) {
    return (a, b, c) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b, c);
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "number" ? answer : other(answer);
    };
  }
  return callForSeveral(host, paramCount, calls, (answer) => (typeof answer === "number" ? answer : other(answer)));
};

const callForBigint: CountedCall = (host, paramCount, calls, other) => {
  if (paramCount === 0) {
    return () => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host();
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "bigint" ? answer : other(answer);
    };
  }
  if (paramCount === 1) {
    return (a) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a);
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "bigint" ? answer : other(answer);
    };
  }
  if (paramCount === 2) {
    return (a, b) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b);
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "bigint" ? answer : other(answer);
    };
  }
  if (paramCount === 3) {
    return (a, b, c) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b, c);
      } finally {
        calls.depth = depth;
      }
      return typeof answer === "bigint" ? answer : other(answer);
    };
  }
  return callForSeveral(host, paramCount, calls, (answer) => (typeof answer === "bigint" ? answer : other(answer)));
};

const callForReference: CountedCall = (host, paramCount, calls, other) => {
  if (paramCount === 0) {
    return () => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host();
      } finally {
        calls.depth = depth;
      }
      return isObject(answer) ? other(answer) : answer;
    };
  }
  if (paramCount === 1) {
    return (a) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a);
      } finally {
        calls.depth = depth;
      }
      return isObject(answer) ? other(answer) : answer;
    };
  }
  if (paramCount === 2) {
    return (a, b) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b);
      } finally {
        calls.depth = depth;
      }
      return isObject(answer) ? other(answer) : answer;
    };
  }
  if (paramCount === 3) {
    return (a, b, c) => {
      const { depth } = calls;
      calls.depth = depth + 1;
      let answer: unknown;
      try {
        answer = host(a, b, c);
      } finally {
        calls.depth = depth;
      }
      return isObject(answer) ? other(answer) : answer;
    };
  }
  return callForSeveral(host, paramCount, calls, (answer) => (isObject(answer) ? other(answer) : answer));
};

const callForSeveral: CountedCall = (host, _, calls, other) => {
  return (...args) => {
    const { depth } = calls;
    calls.depth = depth + 1;
    let answer: unknown;
    try {
      answer = host(...args);
    } finally {
      calls.depth = depth;
    }
    return other(answer);
  };
};

function isObject(answer: unknown): boolean {
  return (typeof answer === "object" && answer !== null) || typeof answer === "function";
}
