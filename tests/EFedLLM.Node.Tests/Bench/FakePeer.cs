using EFedLLM.Node.Bench;

namespace EFedLLM.Node.Tests.Bench;

/// <summary>A program that does what a test says, in a folder of its own: its model is the shell script that it runs.</summary>
internal sealed class FakePeer : IDisposable
{
    /// <summary>Prints what a peer prints for prompts of 8 tokens, answers of 4 and one thread.</summary>
    public const string Answer = """
        echo '[{"n_prompt": 8, "n_gen": 0, "n_threads": 1, "avg_ts": 100}, {"n_prompt": 0, "n_gen": 4, "n_threads": 1, "avg_ts": 50}]'
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-peer-").FullName;

    public FakePeer(string script) => File.WriteAllText(Model, script);

    /// <summary>The program.</summary>
    public static string Program => Path.Combine(AppContext.BaseDirectory, "Bench", "fake-llama-bench");

    /// <summary>What <see cref="Answer"/> answers.</summary>
    public static BenchSettings Settings { get; } = new() { PromptTokens = 8, DecodeTokens = 4, Repetitions = 3 };

    /// <summary>The script; other files of a test lie beside it.</summary>
    public string Model => Path.Combine(_folder, "model");

    public PeerProgram Start(TimeSpan? limit = null) => new(Program, Model, limit ?? TimeSpan.FromMinutes(1));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
