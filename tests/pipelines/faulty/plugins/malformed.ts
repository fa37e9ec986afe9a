/** What an author might write who has not read the contract. */
export default {
  apiVersion: 2,
  name: "Keep All",
  kind: "filter",
  summary: "",
  opptions: {},
  create: () => ({}),
};
