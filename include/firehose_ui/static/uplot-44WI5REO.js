import{a}from"./chunk-JWU4FO47.js";export{a as default};
