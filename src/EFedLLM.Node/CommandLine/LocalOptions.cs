using System.CommandLine;
using EFedLLM.Node.Local;

namespace EFedLLM.Node.CommandLine;

/// <summary>The options that say how a model runs in this process.</summary>
internal sealed class LocalOptions
{
    private readonly Option<int?> _threads = CommonOptions.Threads("all cores");
    private readonly Option<int?> _chunk = new Option<int?>("--chunk") { Description = "Prompt tokens computed in one step; the answer is the same. Default: 256.", HelpName = "n" }.Between(1, 1 << 16);
    private readonly Option<string?> _memory = CommonOptions.LocalMemory();
    private readonly Option<string?> _weights = CommonOptions.Weights();
    private readonly Option<string?> _chatTemplate = CommonOptions.ChatTemplate();

    /// <summary>Creates them and adds them to a command.</summary>
    public LocalOptions(Command command)
    {
        foreach (var option in new Option[] { _threads, _chunk, _memory, _weights, _chatTemplate })
        {
            command.Add(option);
        }
    }

    /// <summary>The name of the first of them that was given, or null.</summary>
    public string? FirstGiven(ParseResult parse) =>
        new Option[] { _threads, _chunk, _memory, _weights, _chatTemplate }.FirstOrDefault(option => parse.GetResult(option) is not null)?.Name;

    /// <summary>What they say.</summary>
    /// <param name="parse">The command line.</param>
    /// <param name="model">The model's folder, or null for the bundled one.</param>
    public LocalSettings Read(ParseResult parse, string? model) => new()
    {
        ModelFolder = model,
        Float32 = parse.GetValue(_weights) is not null,
        ChatTemplate = parse.GetValue(_chatTemplate),
        Threads = parse.GetValue(_threads) ?? Environment.ProcessorCount,
        Chunk = parse.GetValue(_chunk) ?? 256,
        MemoryBytes = parse.GetValue(_memory) is { } memory ? ByteSize.Parse(memory, _memory.Name) : null,
    };
}
