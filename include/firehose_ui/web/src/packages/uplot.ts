// uPlot in a file of its own, as CodeMirror is.
export { default } from "uplot";
