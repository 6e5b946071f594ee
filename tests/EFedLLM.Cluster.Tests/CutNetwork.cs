using System.Diagnostics;

namespace EFedLLM.Cluster.Tests;

/// <summary>
/// A second network on this machine, as Linux's network namespaces make it, with a cable to ours that can be cut: packets then vanish in
/// both directions, as they do behind a router that has died. Processes in it see one another all the same.
/// </summary>
internal sealed class CutNetwork : IAsyncDisposable
{
    private static readonly Lazy<string?> Reason = new(Try);

    private CutNetwork(int number)
    {
        Name = $"efed-{Environment.ProcessId}-{number}";
        var net = $"10.{200 + (number % 50)}.{Environment.ProcessId % 250}";
        (Here, There) = ($"{net}.1", $"{net}.2");
    }

    /// <summary>Why this machine cannot have one; null where it can.</summary>
    public static string? WhyNot => Reason.Value;

    /// <summary>The namespace.</summary>
    public string Name { get; }

    /// <summary>Our end's address.</summary>
    public string Here { get; }

    /// <summary>The other end's address.</summary>
    public string There { get; }

    /// <summary>Makes one.</summary>
    public static CutNetwork Create()
    {
        var network = new CutNetwork(Random.Shared.Next(50));
        try
        {
            network.Make();
            return network;
        }
        catch
        {
            network.Remove();
            throw;
        }
    }

    /// <summary>Cuts the cable.</summary>
    public void Cut()
    {
        Run("ip", "route", "add", "blackhole", $"{There}/32");
        Run("ip", "-n", Name, "route", "add", "blackhole", $"{Here}/32");
    }

    /// <summary>Mends it.</summary>
    public void Heal()
    {
        Run("ip", "route", "del", "blackhole", $"{There}/32");
        Run("ip", "-n", Name, "route", "del", "blackhole", $"{Here}/32");
    }

    public ValueTask DisposeAsync()
    {
        Remove();
        return ValueTask.CompletedTask;
    }

    private static string? Try()
    {
        if (!OperatingSystem.IsLinux())
        {
            return "Network namespaces are Linux's.";
        }

        try
        {
            Create().Remove();
            return null;
        }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return $"This machine makes no network namespaces (it takes root and the package iproute2): {error.Message}";
        }
    }

    private void Make()
    {
        var (ours, theirs) = ($"ef{Environment.ProcessId % 100000}h", $"ef{Environment.ProcessId % 100000}t");
        Run("ip", "netns", "add", Name);
        Run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", Name);
        Run("ip", "addr", "add", $"{Here}/30", "dev", ours);
        Run("ip", "link", "set", ours, "up");
        Run("ip", "-n", Name, "addr", "add", $"{There}/30", "dev", theirs);
        Run("ip", "-n", Name, "link", "set", theirs, "up");
        Run("ip", "-n", Name, "link", "set", "lo", "up");
    }

    private void Remove()
    {
        // The cable goes with the namespace, a cut that was not mended by itself does not.
        foreach (var arguments in new[] { ["route", "del", "blackhole", $"{There}/32"], new[] { "netns", "del", Name } })
        {
            try
            {
                Run("ip", arguments);
            }
            catch (InvalidOperationException)
            {
                // It was not there.
            }
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error.Trim()}");
        }
    }
}
