import type { Context } from "koa";
import { CSV_TYPE, csvText, type ValueTable } from "@eventlogger/events/table/csv";
import { choiceParameter } from "../parameters";

export const ANSWER_FORMATS = ["json", "csv"] as const;
export type AnswerFormat = (typeof ANSWER_FORMATS)[number];

/** The type of answers as JSON. With its parameter, so that a header with the same parameter matches. */
const JSON_TYPE = "application/json; charset=utf-8";

/** The name of the parameter that {@link answerFormat} reads. */
export const FORMAT_PARAMETER = "format";

/**
 * The format that a request asks for: `?format=`, else the preferred one of its header Accept. Of two that it
 * prefers equally, the one that it names first; JSON when it names neither.
 * @throws RequestError INVALID_PARAMETER
 */
export function answerFormat(ctx: Context, query: URLSearchParams): AnswerFormat {
  ctx.vary("Accept");
  const asked = choiceParameter(query, FORMAT_PARAMETER, ANSWER_FORMATS);
  return asked ?? (ctx.accepts(JSON_TYPE, CSV_TYPE) === CSV_TYPE ? "csv" : "json");
}

/** Answers with a table as a CSV file. @param name name of the file, without its extension */
export function answerCsv(ctx: Context, name: string, table: ValueTable): void {
  ctx.set("Cache-Control", "no-cache");
  ctx.set("Content-Disposition", `attachment; filename="${name}.csv"`);
  ctx.type = CSV_TYPE;
  ctx.body = csvText(table);
}

/** Answers with a value as JSON. @param body the value, or its text as bytes */
export function answerJson(ctx: Context, body: object): void {
  ctx.set("Cache-Control", "no-cache");
  ctx.type = JSON_TYPE;
  ctx.body = body;
}
