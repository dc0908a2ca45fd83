/** The most bytes of an object in a database: 8 MiB. What is larger belongs to a folder or a bucket (`rawDataPath`). */
export const MAX_BODY_BYTES: number = 8 * 1024 * 1024;
