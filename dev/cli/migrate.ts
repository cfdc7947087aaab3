import { migrate } from "../database/migrate.ts";
import { command, Usage } from "./command.ts";
import { reasonOf, Refusal } from "./edge.ts";

const HELP = `
DATABASE_URL=postgres://user:password@host/database npm run -s migrate

Brings the database to the newest schema, in one transaction; again does nothing. Run it before each deploy: a schema is
safe beside the Worker of the version before. The role needs to own the tables; the Worker's own role does not, and has
the same rights on new tables as on the old ones.
`;

await command(HELP, {}, async () => {
  const url = process.env["DATABASE_URL"] ?? "";
  if (!URL.canParse(url)) throw new Usage("set DATABASE_URL to postgres://user:password@host/database");
  const { host, pathname } = new URL(url);
  try {
    const { applied, total } = await migrate(url);
    console.log(
      applied === 0 ? `nothing to do: all ${total} migrations are applied` : `applied ${applied} of ${total}`,
    );
  } catch (error) {
    throw new Refusal(
      `${host}${pathname} was not migrated (${reasonOf(error)}): is DATABASE_URL right, and is the server up?`,
    );
  }
});
