/** Put in by the build. */
declare const CONNECTOR_VERSION: string | undefined;

export const VERSION: string = typeof CONNECTOR_VERSION === 'string' ? CONNECTOR_VERSION : '0.0.0-source';
