'use client';

import { Button, Group, Modal, Select } from '@mantine/core';
import { type StepLanguage, type StepSpec, stepLanguages } from '@vrsky/contracts/pipeline-spec';
import { useState } from 'react';
import { isStarter, languageWords, starterOf } from '../../starters.ts';

interface LanguageSelectProps {
  step: StepSpec;
  readOnly: boolean;
  onChange: (change: Partial<StepSpec>) => void;
}

/** A step's language. Code is not translated: another language starts from its starter, and asks first when there is code to lose. */
export function LanguageSelect({ step, readOnly, onChange }: LanguageSelectProps) {
  const [wanted, setWanted] = useState<StepLanguage | null>(null);
  const take = (language: StepLanguage) => {
    onChange({ language, source: starterOf(step.kind, language) });
    setWanted(null);
  };
  return (
    <>
      <Select
        aria-label="Language of the step"
        size="xs"
        w={188}
        allowDeselect={false}
        readOnly={readOnly}
        value={step.language}
        data={stepLanguages.map((value) => ({ value, label: languageWords[value] }))}
        onChange={(value) => {
          const language = stepLanguages.find((item) => item === value);
          if (!language || language === step.language) return;
          if (isStarter(step)) take(language);
          else setWanted(language);
        }}
      />
      <Modal opened={wanted !== null} onClose={() => setWanted(null)} title={`Start over in ${wanted === null ? '' : languageWords[wanted]}`}>
        <p style={{ margin: '0 0 16px' }}>
          The code of this step is {languageWords[step.language]} and cannot be converted: it is replaced by the start of a new one. Undo brings it back.
        </p>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={() => setWanted(null)}>
            Keep the code
          </Button>
          <Button onClick={() => wanted && take(wanted)} data-autofocus>
            Replace the code
          </Button>
        </Group>
      </Modal>
    </>
  );
}
