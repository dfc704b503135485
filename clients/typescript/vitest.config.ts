import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.test.json" },
    globalSetup: ["test/harness/setup.ts"],
    // Bounds, which a test does not wait for: a busy machine starts programs slowly.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
