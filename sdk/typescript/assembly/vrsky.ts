/** What the platform gives to a step: logic ABI v1. The compiler names an import after its file, so this file is the module `vrsky`. */

/** Bytes of the payload. */
export declare function input_size(): i32;
/** Copies the whole payload to `to`. */
export declare function input_read(to: usize): void;
/** Bytes of a field: 0 message id, 1 customer id, 2 trace id, 3 content type, 4 pipeline id, 5 headers as `name NUL value NUL …`. */
export declare function field_size(field: i32): i32;
export declare function field_read(field: i32, to: usize): void;
/** When the platform received the message, in milliseconds since 1970. */
export declare function now(): f64;
/** From 0 up to but not 1: a function of the message's id and of how often it was asked for. */
export declare function random(): f64;
export declare function log(text: usize, size: i32): void;
/** The new payload, copied at once. */
export declare function output(bytes: usize, size: i32): void;
export declare function content_type(text: usize, size: i32): void;
export declare function reason(text: usize, size: i32): void;
export declare function route(text: usize, size: i32): void;
/** Ends the step; the message fails with this text. */
export declare function abort(text: usize, size: i32): void;
