/** What a row says about its file. Which fields there are depends on the platform: see `uploadFile`. */
export interface FileFields {
  /** 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage. */
  platform: number;
  /** The name of the file. A `File` has its own. */
  name?: string | undefined;
  /** The other fields, for example `storagePath`, `favId` or `parent`. */
  [field: string]: string | number | boolean | null | undefined;
}

/** The fields as texts, with the name of the file if they have none. Absent ones are left out. */
export function textsOf(fields: FileFields, body: unknown): Record<string, string> {
  const texts: Record<string, string> = {};
  if (typeof File !== "undefined" && body instanceof File) {
    texts["name"] = body.name;
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null) {
      texts[name] = String(value);
    }
  }
  return texts;
}

/** The header with the password of a file. Headers are not Unicode. */
export function passwordHeader(password: string | undefined): Record<string, string> {
  return password === undefined ? {} : { "stowage-file-password": encodeURIComponent(password) };
}
