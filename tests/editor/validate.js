// SPDX-License-Identifier: Apache-2.0
// node validate.js SCHEMA FILE...: what Ajv (JSON Schema 2020-12) says of every document of every YAML file.
// One line of JSON a document: {"file": .., "document": 0, "errors": ["/spec/rules/0: .."]}.
const fs = require("fs");
const Ajv2020 = require("ajv/dist/2020").default;
const YAML = require("yaml");

const [schema, ...files] = process.argv.slice(2);
const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true, validateSchema: true }).compile(
  JSON.parse(fs.readFileSync(schema, "utf8")),
);
for (const file of files) {
  YAML.parseAllDocuments(fs.readFileSync(file, "utf8"), { merge: false }).forEach((document, index) => {
    const errors = document.errors.map((error) => error.message);
    if (errors.length === 0 && !validate(document.toJS()))
      errors.push(...validate.errors.map((error) => `${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`));
    console.log(JSON.stringify({ file, document: index, errors }));
  });
}
