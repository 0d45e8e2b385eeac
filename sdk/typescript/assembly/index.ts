/** What a step in AssemblyScript imports as `@vrsky/sdk`. */
export { Json, JsonKind } from './json/json';
export { JsonArray, JsonObject } from './json/write';
export { Message, MessageHeaders, Metadata } from './message';
export { bytes, Context, ConvertStep, defineConvert, defineFilter, FilterOptions, FilterStep, json, pass, Result, text } from './step';
export { TextWriter } from './text-writer';
