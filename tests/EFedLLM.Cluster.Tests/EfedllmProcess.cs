using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;

namespace EFedLLM.Cluster.Tests;

/// <summary>The built program in a process of its own, as a user runs it.</summary>
internal sealed partial class EfedllmProcess : IAsyncDisposable
{
    /// <summary>Far longer than anything here takes, so that only what never happens runs into it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private const int SignalInterrupt = 2;
    private const int SignalTerminate = 15;
    private const int SignalContinue = 18;
    private const int SignalStop = 19;

    private readonly Process _process;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly Channel<string> _errorLines = Channel.CreateUnbounded<string>();
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Task _reading;

    private EfedllmProcess(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output, _lines.Writer), ReadAsync(process.StandardError, _error, _errorLines.Writer));
    }

    public int Pid => _process.Id;

    /// <summary>Starts it with standard input at its end.</summary>
    public static EfedllmProcess Start(IReadOnlyDictionary<string, string>? environment, params string[] arguments) => StartIn(null, environment, arguments);

    /// <summary>The same in a network namespace, or in none.</summary>
    public static EfedllmProcess StartIn(string? network, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(network is null ? "dotnet" : "ip") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        string[] program = network is null ? ["exec"] : ["netns", "exec", network, "dotnet", "exec"];
        foreach (var argument in program.Append(Path.Combine(AppContext.BaseDirectory, "efedllm.dll")).Concat(arguments))
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["EFEDLLM_HOME"] = TestHome.Path;

        // What is measured on a machine with much to do would give every run another plan.
        start.Environment["EFEDLLM__DEVICE__SPEED"] = "10 GB";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new EfedllmProcess(process);
    }

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        await using var process = Start(null, arguments);
        return await process.EndAsync();
    }

    /// <summary>The next line of standard output that fits.</summary>
    public Task<string> LineAsync(Func<string, bool>? fits = null) => LineAsync(_lines.Reader, fits);

    /// <summary>The next line of standard error that fits.</summary>
    public Task<string> ErrorLineAsync(Func<string, bool> fits) => LineAsync(_errorLines.Reader, fits);

    private async Task<string> LineAsync(ChannelReader<string> lines, Func<string, bool>? fits)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await foreach (var line in lines.ReadAllAsync(patience.Token))
            {
                if (fits?.Invoke(line) != false)
                {
                    return line;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Told below, with what it said.
        }

        throw new InvalidOperationException($"The line never came. Output: {_output} Error: {_error}");
    }

    /// <summary>Waits until something is so.</summary>
    public static async Task UntilAsync(Func<bool> isSo)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!isSo())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }

    /// <summary>Waits for its end.</summary>
    public async Task<(int Code, string Output, string Error)> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        await _reading.WaitAsync(Patience);
        return (_process.ExitCode, _output.ToString(), _error.ToString());
    }

    /// <summary>Ctrl-C.</summary>
    public void Interrupt() => Send(Pid, SignalInterrupt);

    /// <summary>Stops it where it is, as a machine that sleeps.</summary>
    public void Freeze() => Send(Pid, SignalStop);

    /// <summary>Lets it go on.</summary>
    public void Thaw() => Send(Pid, SignalContinue);

    /// <summary>A request to end, for one that has not ended.</summary>
    public void Terminate()
    {
        if (!_process.HasExited)
        {
            Send(Pid, SignalTerminate);
        }
    }

    /// <summary>A request to end, for a process of ours that another one started.</summary>
    public static void Terminate(int pid) => Send(pid, SignalTerminate);

    /// <summary>kill -9, for a process of ours.</summary>
    public static void Kill(int pid)
    {
        using var process = Process.GetProcessById(pid);
        process.Kill();
    }

    /// <summary>Stops a process of ours where it stands: its sockets stay open and nothing answers.</summary>
    public static void Freeze(int pid) => Send(pid, SignalStop);

    /// <summary>Lets a frozen one go on.</summary>
    public static void Thaw(int pid) => Send(pid, SignalContinue);

    /// <summary>The processes that run with this text in their command line.</summary>
    public static IReadOnlyList<int> Running(string text)
    {
        var found = new ConcurrentBag<int>();
        foreach (var process in Process.GetProcesses())
        {
            using (process)
            {
                try
                {
                    if (process.Id != Environment.ProcessId && File.ReadAllText($"/proc/{process.Id}/cmdline").Contains(text, StringComparison.Ordinal))
                    {
                        found.Add(process.Id);
                    }
                }
                catch (Exception error) when (error is IOException or UnauthorizedAccessException)
                {
                    // It has ended meanwhile, or is another user's.
                }
            }
        }

        return [.. found];
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task ReadAsync(StreamReader reader, StringBuilder all, ChannelWriter<string> lines)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            all.AppendLine(line);
            lines.TryWrite(line);
        }

        lines.TryComplete();
    }

    private static void Send(int pid, int signal) => Assert.Equal(0, SendSignal(pid, signal));

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
