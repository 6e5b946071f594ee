using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Node.Supervision;

/// <summary>
/// A node in a child process. It holds the reading end of a pipe from us: when we end, for whatever reason, the pipe
/// closes and the child ends too.
/// </summary>
internal sealed class ChildNode : IAsyncDisposable
{
    private const int LastLines = 20;

    private readonly Process _process;
    private readonly Queue<string> _lastLines = new();
    private readonly TaskCompletionSource<NodeReady> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;

    private ChildNode(NodeOptions options, Process process)
    {
        (Options, _process) = (options, process);
        _reading = Task.WhenAll(ReadOutputAsync(), ReadErrorAsync());
    }

    /// <summary>What it was started as.</summary>
    public NodeOptions Options { get; }

    /// <summary>Its process id.</summary>
    public int Pid => _process.Id;

    /// <summary>Its resident memory at this moment, in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Its address once it is ready; fails with a <see cref="UserErrorException"/> where it never will be.</summary>
    public Task<NodeReady> Ready => _ready.Task;

    /// <summary>What its person should know; on any thread.</summary>
    public event Action<string>? Told;

    /// <summary>Starts one.</summary>
    public static ChildNode Start(NodeOptions options)
    {
        var start = new ProcessStartInfo { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        var (file, first) = OwnProgram.Command();
        start.FileName = file;
        foreach (var argument in first.Concat(NodeArguments.Of(options)))
        {
            start.ArgumentList.Add(argument);
        }

        if (options.LedgerDatabase is { } database)
        {
            // Not as an argument: those can be read by everybody on the machine.
            start.Environment["EFEDLLM__LEDGER__DATABASE"] = database;
        }

        var process = Process.Start(start) ?? throw new UserErrorException($"The process of {options.Name} could not be started.");
        return new ChildNode(options, process);
    }

    /// <summary>Waits until the process has ended.</summary>
    public Task WaitForExitAsync(CancellationToken cancellation) => _process.WaitForExitAsync(cancellation);

    /// <summary>Tells it to end, and ends it by force where it does not within <paramref name="grace"/>.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already.
        }

        using var patience = new CancellationTokenSource(grace);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        await _reading;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _process.Dispose();
    }

    private async Task ReadOutputAsync()
    {
        if (await _process.StandardOutput.ReadLineAsync() is { } line && Parse(line, NodeReadyJson.Default.NodeReady) is { } ready)
        {
            if (ready.Ready)
            {
                _ready.TrySetResult(ready);
            }
            else
            {
                _ready.TrySetException(new UserErrorException($"{Options.Name} cannot start: {ready.Error}"));
            }
        }

        // A full pipe would stop the child.
        while (await _process.StandardOutput.ReadLineAsync() is { } next)
        {
            if (Parse(next, NodeNoteJson.Default.NodeNote)?.Note is { } words)
            {
                Told?.Invoke(words);
            }
        }

        await _process.WaitForExitAsync();
        _ready.TrySetException(new UserErrorException($"{Options.Name} ended before it was ready (exit code {_process.ExitCode}).{Said()}"));
    }

    private async Task ReadErrorAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            lock (_lastLines)
            {
                _lastLines.Enqueue(line);
                if (_lastLines.Count > LastLines)
                {
                    _lastLines.Dequeue();
                }
            }

            if (Options.Verbose)
            {
                Console.Error.WriteLine($"[{Options.Name}] {line}");
            }
        }
    }

    private static T? Parse<T>(string line, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(line, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private string Said()
    {
        lock (_lastLines)
        {
            return _lastLines.Count == 0 ? $" Its log is {Path.Combine(Options.DataFolder, NodeFiles.Log)}." : $" It said: {string.Join(Environment.NewLine, _lastLines)}";
        }
    }
}
