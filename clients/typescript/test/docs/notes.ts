/** What `stowage api typescript` writes for a module with one method, as the README uses it. */
export interface paths {
  "/notes/addNote": {
    post: {
      requestBody: { content: { "application/json": { text: string } } };
      responses: {
        200: {
          content: {
            "application/json":
              | { code: 200; message: null; data: { id: number; text: string } }
              | { code: 500 | 600; message: string; data: null };
          };
        };
      };
    };
  };
}
