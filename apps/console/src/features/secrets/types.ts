/** A pipeline whose settings refer to a secret. */
export interface SecretUse {
  pipelineId: string;
  pipelineName: string;
  /** The nodes run it so; else only the draft does. */
  published: boolean;
}

export interface SecretVersionView {
  number: number;
  /** First digits of a keyed hash: equal values of an organisation have the same. */
  fingerprint: string;
  createdAt: string;
  createdBy: string;
  /** null: the current one. */
  validUntil: string | null;
}

/** Everything about a secret but its value, which nobody is told. */
export interface SecretView {
  id: string;
  name: string;
  hosts: string[];
  overlapSeconds: number;
  /** Counts changes: who changes it says which state they saw. */
  revision: number;
  createdAt: string;
  updatedAt: string;
  /** The valid ones, the current first. */
  versions: SecretVersionView[];
  usedBy: SecretUse[];
}
