using EFedLLM.Node.CommandLine;

return await EfedllmCommand.RunAsync(args);
