// A small document of our own, so that a newcomer's first answer needs no file of theirs.

const TEXT = `# The keeper's handbook

## The light

The light is lit thirty minutes before sunset and put out thirty minutes after sunrise. A keeper stays in the watch room while it burns.

The lantern room is inspected every fourteen days. The keeper on duty signs the log, and the harbour office receives a copy by noon.

## The fog signal

The fog signal sounds for two seconds in every thirty when visibility falls below two nautical miles. It is tested on the first Monday of each month.

## Visitors

Visitors may climb the tower between ten in the morning and four in the afternoon. Children under eight must be accompanied, and no more than twelve people may be in the tower at once.

Photography is welcome everywhere except in the lantern room, where a flash would disturb the sensors.
`;

export const sampleQuestions = ["How often is the lantern room inspected?", "When does the fog signal sound?", "How many visitors may be in the tower?"];

export function sampleFile() {
  return new File([TEXT], "keepers-handbook.md", { type: "text/markdown" });
}
