// Starts `tvsc lsp` and lets VS Code talk to it. All that the editor knows about the language, it is told by the server.
"use strict";

const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
    const [command, ...args] = workspace.getConfiguration("tvs").get("command");
    client = new LanguageClient(
        "tvs",
        "tvsc",
        { command, args },
        {
            // Lists of servers and prefixes belong to a site, too: their unsaved text counts.
            documentSelector: [
                { language: "tvs" },
                { scheme: "file", pattern: "**/*.{csv,txt}" },
            ],
        },
    );
    return client.start();
}

function deactivate() {
    return client ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
