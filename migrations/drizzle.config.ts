import { defineConfig } from "drizzle-kit";

/** `npx drizzle-kit generate --config migrations/drizzle.config.ts --name what-changes` writes the next migration. */
export default defineConfig({ dialect: "postgresql", schema: "./worker/store/schema.ts", out: "./migrations" });
