import process from "node:process";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
/** `npm run dev` shows the console of a server that runs already. */
const server = process.env["STOWAGE_URL"] ?? "http://127.0.0.1:8787";

export default defineConfig({
  base: "/console/",
  resolve: {
    alias: { "stowage-client": path("../../clients/typescript/src/index.ts") },
    // The client is used as source, so its dependencies come from here.
    dedupe: ["openapi-fetch", "tus-js-client"],
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    outDir: path("../../target/console"),
    emptyOutDir: true,
    target: "es2022",
    // The server's Content-Security-Policy allows no inline scripts and no data: URLs of styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    fs: { allow: [path("."), path("../../clients/typescript")] },
    proxy: {
      // All but Vite's own files. The server accepts only its own Host and Origin.
      "^/(?!console/(?!session|info))": {
        target: server,
        changeOrigin: true,
        ws: true,
        configure: (proxy) => {
          proxy.on("proxyReq", (request) => request.setHeader("origin", server));
          proxy.on("proxyReqWs", (request) => request.setHeader("origin", server));
        },
      },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
