export interface ReceivedView {
  receivedAt: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  text: string | null;
  bodyBase64: string;
  bytes: number;
}
