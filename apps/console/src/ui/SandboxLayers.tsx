import { IconCheck, IconMinus } from '@tabler/icons-react';
import classes from './SandboxLayers.module.css';

/** What a layer of the sandbox keeps a connector from, in a few words. */
const layerWords: Record<string, string> = {
  environment: 'Empty environment',
  'parent-death': 'Ends with its node',
  'no-new-privs': 'No new rights',
  cgroup: 'Memory and process group',
  limits: 'Resource limits',
  namespaces: 'Own view of the system',
  seccomp: 'Fewer system calls',
  uid: 'Own user',
  landlock: 'Only its own files',
};

export function layerWord(layer: string): string {
  return layerWords[layer] ?? layer;
}

/** Every layer a node knows: whether it has it, and what that means or what is missing. */
export function SandboxLayers({ layers }: { layers: { layer: string; available: boolean; detail: string }[] }) {
  return (
    <ul className={classes.layers}>
      {layers.map(({ layer, available, detail }) => (
        <li key={layer} data-available={available || undefined}>
          {available ? <IconCheck size={15} aria-hidden /> : <IconMinus size={15} aria-hidden />}
          <span className={classes.name}>{layerWord(layer)}</span>
          <span className={classes.state}>{available ? 'Available' : 'Not available'}</span>
          <span className={classes.detail}>{detail}</span>
        </li>
      ))}
    </ul>
  );
}
