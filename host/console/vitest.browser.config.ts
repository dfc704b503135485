/** The tests of the console in a browser, against the real server. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/harness/setup.ts"],
    // Much of the time is the page waiting for its next question, so two files run at a time. They
    // share a server, except those that change its modules or its limits.
    maxWorkers: 2,
    minWorkers: 1,
    // Bounds, which a test does not wait for: a busy machine is slow.
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
});
