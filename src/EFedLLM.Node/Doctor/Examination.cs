using System.Net.NetworkInformation;
using System.Net.Sockets;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Node.Doctor;

/// <summary>Looks after this machine: measures, and lets each check judge what was measured. No check takes longer than its time.</summary>
internal static class Examination
{
    private static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(5);

    /// <summary>All findings, in the order in which a person mends them.</summary>
    /// <param name="plan">What the node would be.</param>
    /// <param name="time">This machine's clock.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<IReadOnlyList<Finding>> RunAsync(DoctorPlan plan, TimeProvider time, CancellationToken cancellation)
    {
        var machine = MachineProbe.Measure();
        var tls = plan.CertificateFolder is not null;
        var findings = new List<Finding>
        {
            MachineChecks.Runtime(machine),
            MachineChecks.Processor(machine, plan.Threads),
            await BoundedAsync("arithmetic", _ => Task.Run(() => MachineChecks.Arithmetic(IsRight(plan.Threads))), cancellation),
            MachineChecks.Memory(machine, plan.MemoryBytes),
            MachineChecks.HugePages(machine),
            MachineChecks.OpenFiles(machine),
            await BoundedAsync("disk", _ => Task.Run(() => FolderFacts.Measure(plan.DataFolder).Judge()), cancellation),
            await BoundedAsync("port", async limit => (await PortFacts.MeasureAsync("port", plan.Host, plan.Port, limit)).Judge(tls, Addresses()), cancellation),
        };
        if (plan.HttpPort is { } http)
        {
            findings.Add(await BoundedAsync("http port", async limit => (await PortFacts.MeasureAsync("http port", "127.0.0.1", http, limit)).Judge(tls, Addresses()), cancellation));
        }

        NodeCertificate? certificate = null;
        if (plan.CertificateFolder is { } folder)
        {
            var facts = CertificateFacts.Measure(folder, plan.PublicHost ?? plan.Host, time);
            findings.Add(facts.Judge());
            certificate = facts.Problem is null ? NodeCertificate.Load(folder) : null;
        }

        using (certificate)
        {
            foreach (var seed in plan.Seeds)
            {
                findings.Add(await BoundedAsync(
                    $"reach {seed}", async limit => (await ReachProbe.MeasureAsync(seed, certificate, limit)).Judge(plan.PublicHost ?? plan.Host, certificate is not null, plan.Wide), cancellation));
            }
        }

        if (plan.Gateway is { } gateway)
        {
            findings.Add(await BoundedAsync("clock", async limit => (await ClockFacts.MeasureAsync(gateway, time, limit)).Judge(), cancellation));
        }

        return findings;
    }

    /// <summary>Runs one check, and gives it up when its time is over.</summary>
    internal static async Task<Finding> BoundedAsync(string check, Func<CancellationToken, Task<Finding>> run, CancellationToken cancellation, TimeSpan? limit = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(limit ?? CheckLimit);
        try
        {
            return await run(patience.Token).WaitAsync((limit ?? CheckLimit) * 2, cancellation);
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return Finding.Doubtful(check, $"could not be looked at within {(limit ?? CheckLimit).TotalSeconds:0.#} s", "Something on this machine or in the network hangs: look there first.");
        }
    }

    private static bool IsRight(int threads)
    {
        using var team = new ComputeTeam(threads);
        return GoldenVectors.AreRight(team);
    }

    /// <summary>This machine's addresses under which others may reach it.</summary>
    private static string[] Addresses() =>
    [.. NetworkInterface.GetAllNetworkInterfaces()
        .Where(card => card.OperationalStatus == OperationalStatus.Up && card.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .SelectMany(card => card.GetIPProperties().UnicastAddresses)
        .Select(unicast => unicast.Address)
        .Where(address => address.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6 && !address.IsIPv6LinkLocal)
        .Select(address => address.ToString())
        .Order(StringComparer.Ordinal)];
}
