/** Report of a suite: tables of measurements, and the bars that they must meet. */

/** One value of a table. */
export type Cell = string | number;

/** Requirement for a measured value. */
export interface Bar {
  /** Name of the value, with its unit. */
  readonly what: string;
  readonly value: number;
  readonly relation: 'at least' | 'at most' | 'under';
  readonly limit: number;
}

/** Result of one row of a suite: a table and its bars. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly bars: readonly Bar[];
  /** Remarks for the reader, for example why a contender is missing. */
  readonly notes: readonly string[];
}

/** True if the value meets the bar. */
export function isMet({ value, relation, limit }: Bar): boolean {
  switch (relation) {
    case 'at least':
      return value >= limit;
    case 'at most':
      return value <= limit;
    case 'under':
      return value < limit;
  }
}

/** Renders a section as Markdown, with columns that are aligned in a terminal as well. */
export function renderSection(section: Section): string {
  const lines = [`## ${section.title}`, '', ...renderTable(section.columns, section.rows)];
  if (section.bars.length > 0) {
    const bars = section.bars.map((bar) => [
      bar.what,
      bar.value,
      `${bar.relation} ${formatCell(bar.limit)}`,
      isMet(bar) ? 'pass' : 'FAIL',
    ]);
    lines.push('', ...renderTable(['bar', 'measured', 'required', ''], bars));
  }
  for (const note of section.notes) lines.push('', note);
  return lines.join('\n');
}

/** Converts a section for JSON: rows as objects, bars with their outcome. */
export function toJson({ columns, rows, bars, ...section }: Section): unknown {
  return {
    ...section,
    rows: rows.map((row) => Object.fromEntries(columns.map((name, column) => [name, row[column]]))),
    bars: bars.map((bar) => ({ ...bar, isMet: isMet(bar) })),
  };
}

function renderTable(columns: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const texts = [columns, ...rows].map((row) => row.map(formatCell));
  const widths = columns.map((_, column) =>
    Math.max(3, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const isNumeric = columns.map((_, column) =>
    rows.every((row) => typeof row[column] === 'number'),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const pad = (text: string, column: number) =>
    isNumeric[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  const rule = widths.map((width, column) =>
    isNumeric[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  const [head = [], ...body] = texts.map((row) => line(row.map(pad)));
  return [head, line(rule), ...body].map(String);
}

/** Formats a number: three significant digits below 100, whole numbers with separators above. */
function formatCell(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell) || Math.abs(cell) >= 100) {
    return Math.round(cell).toLocaleString('en-US');
  }
  return String(Number(cell.toPrecision(3)));
}
