using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Hosting;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>Shows how far a device is in fetching its files, on standard error: a bar with the time left where a person watches, else a line when it begins and one when it ends.</summary>
internal static class FetchBar
{
    /// <summary>Shows it each time the device fetches something, until it is cancelled.</summary>
    /// <param name="view">The cluster.</param>
    /// <param name="device">The device's id.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task RunAsync(ViewFeed view, string? device, CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                await view.WaitAsync(seen => Totals(seen, device).Total > 0, cancellation);
                if (Console.IsErrorRedirected)
                {
                    await TellAsync(view, device, cancellation);
                    continue;
                }

                await Screen.Side.Progress()
                    .AutoClear(true)
                    .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
                    .StartAsync(context => ShowAsync(context.AddTask("fetching layers"), view, device, cancellation));
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The device leaves.
        }
    }

    /// <summary>Bytes that a device has of what it fetches, and of all of it.</summary>
    internal static (long Done, long Total) Totals(ClusterView view, string? device)
    {
        var fetching = view.Devices.FirstOrDefault(known => known.Device.Value == device)?.Blobs?.Fetching ?? [];
        return (fetching.Sum(range => range.DoneBytes), fetching.Sum(range => range.TotalBytes));
    }

    private static async Task TellAsync(ViewFeed view, string? device, CancellationToken cancellation)
    {
        Screen.Note($"fetching {Say.Bytes(Totals(view.Latest, device).Total)} of layers from the cluster");
        await view.WaitAsync(seen => Totals(seen, device).Total == 0, cancellation);
        Screen.Note("fetched");
    }

    private static async Task ShowAsync(ProgressTask task, ViewFeed view, string? device, CancellationToken cancellation)
    {
        var shown = (Done: 0L, Total: 0L);
        do
        {
            var now = Totals(await view.WaitAsync(seen => Totals(seen, device) != shown, cancellation), device);
            (task.MaxValue, task.Value, shown) = (Math.Max(now.Total, 1), now.Done, now);
        }
        while (shown.Total > 0);
    }
}
