/** The parts of a pool of the package `pg` that are used here. */
export interface PostgresPool extends Pick<PostgresClient, 'query'> {
  /** Takes a connection for a transaction of several statements. */
  connect(): Promise<PostgresClient>;
  /** Ends the connections. */
  end(): Promise<void>;
}

/** The parts of a connection of the package `pg` that are used here. */
export interface PostgresClient {
  /** Runs one statement, and gives rows as lists of what the server wrote. */
  query(statement: {
    text: string;
    values?: unknown[];
    rowMode?: 'array';
    types?: { getTypeParser(): (text: string) => string };
  }): Promise<PostgresRows>;
  /** Runs a statement with parameters, or several without, as one transaction. */
  query(text: string, parameters?: unknown[]): Promise<{ rows: unknown[] }>;
  /** Gives the connection back; `true` closes it. */
  release(isBroken?: boolean): void;
  /** Its connection broke off, also between two statements. Without a listener that ends the process. */
  on(event: 'error', listener: (error: unknown) => void): unknown;
  /** Takes a listener away. */
  off(event: 'error', listener: (error: unknown) => void): unknown;
}

/** Rows as lists of texts, and the columns with the numbers of their types. */
export interface PostgresRows {
  rows: (string | null)[][];
  fields: { name: string; dataTypeID: number }[];
}
