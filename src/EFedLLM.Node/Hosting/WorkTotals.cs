using System.Diagnostics.Metrics;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Hosting;

/// <summary>Adds up what this process counts from now on.</summary>
internal sealed class WorkTotals : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _served;
    private long _recomputed;
    private long _serving;
    private long _checking;
    private long _received;

    /// <summary>Begins.</summary>
    public WorkTotals()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == WorkMeters.Name)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, _, _) =>
        {
            switch (instrument.Name)
            {
                case WorkMeters.Served:
                    Interlocked.Add(ref _served, value);
                    break;
                case WorkMeters.Recomputed:
                    Interlocked.Add(ref _recomputed, value);
                    break;
                case WorkMeters.ServingTime:
                    Interlocked.Add(ref _serving, value);
                    break;
                case WorkMeters.CheckingTime:
                    Interlocked.Add(ref _checking, value);
                    break;
                case WorkMeters.Received:
                    Interlocked.Add(ref _received, value);
                    break;
                default:
                    break;
            }
        });
        _listener.Start();
    }

    /// <summary>The totals of now.</summary>
    public WorkFacts Read() => new(
        Interlocked.Read(ref _served),
        Interlocked.Read(ref _recomputed),
        Interlocked.Read(ref _serving),
        Interlocked.Read(ref _checking),
        Interlocked.Read(ref _received),
        GC.GetTotalAllocatedBytes());

    /// <summary>Ends.</summary>
    public void Dispose() => _listener.Dispose();
}
