using System.Collections.Immutable;
using System.Diagnostics;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement.Simulation;

/// <summary>
/// Runs the planner over a simulated cluster: devices of 1 to 64 GB, 5 to 320 GB/s and 6 to 125 MB/s of network (each log-uniform), which hold a
/// model the size of one with 70 billion weights at 4.5 bits. Departures are a Poisson process; loading takes the time that the network and the disk
/// take, and a device whose memory has no room for both serves nothing meanwhile. Nothing but the planner is real.
/// </summary>
public sealed class ChurnSimulation
{
    // What a node keeps for caches.
    private const double CacheShare = 0.25;

    private readonly ChurnSettings _settings;
    private readonly Random _random;
    private readonly ServedModel _model = SeventyBillion();
    private readonly UnitCosts _costs;
    private readonly ServedUnits _served;
    private readonly List<SimulatedDevice> _devices = [];
    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _events = new();
    private readonly List<TimeSpan> _planTimes = [];
    private PlacementPlan? _plan;
    private TimeSpan _now;
    private long _order;
    private long _arrivalBytes;
    private long _movedBytes;
    private int _departures;

    private ChurnSimulation(ChurnSettings settings)
    {
        _settings = settings;
        _random = new Random(settings.Seed);
        _costs = new UnitCosts(_model);
        _served = new ServedUnits(_costs.Count);
    }

    /// <summary>Simulates.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A setting is impossible.</exception>
    public static ChurnResult Run(ChurnSettings settings, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.Devices, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(settings.Devices, ChurnSettings.MostDevices);
        ArgumentOutOfRangeException.ThrowIfNegative(settings.ChurnPerHour);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(settings.Duration, TimeSpan.Zero);
        return new ChurnSimulation(settings).Run(cancellation);
    }

    private static ServedModel SeventyBillion()
    {
        const int Layers = 80;
        const long LayerBytes = 482_000_000;
        const long TableBytes = 591_000_000;
        var bytes = ImmutableArray.Create([TableBytes, .. Enumerable.Repeat(LayerBytes, Layers), TableBytes]);
        return new ServedModel(
            new ModelId(new string('7', 64)), "70B", 8192, bytes, bytes.SetItem(0, TableBytes / 128_256), [.. bytes.Select((_, unit) => unit is 0 or Layers + 1 ? 0L : 4096)], 8192, 4.5);
    }

    private ChurnResult Run(CancellationToken cancellation)
    {
        for (var i = 0; i < _settings.Devices; i++)
        {
            Join(NewDevice());
        }

        // The cluster begins with everything loaded.
        Plan(isFirst: true);
        if (_settings.ChurnPerHour > 0)
        {
            NextDeparture();
        }

        while (_events.TryDequeue(out var happens, out var when) && when.At < _settings.Duration)
        {
            cancellation.ThrowIfCancellationRequested();
            _now = when.At;
            _served.Until(_now);
            happens();
        }

        _served.Until(_settings.Duration);
        var later = _planTimes.Skip(1).Order().ToArray();
        var hours = _settings.Duration.TotalHours;
        return new ChurnResult(
            _settings.Devices,
            _departures,
            _planTimes.Count,
            _served.WithRoute / _settings.Duration,
            _served.Twice / _settings.Duration,
            _served.WithRoute > TimeSpan.Zero ? _served.HopSeconds / _served.WithRoute.TotalSeconds : 0,
            _arrivalBytes / hours / _costs.TotalBytes,
            _movedBytes / hours / _costs.TotalBytes,
            _planTimes[0],
            later.ElementAtOrDefault(later.Length / 2),
            later.LastOrDefault());
    }

    private SimulatedDevice NewDevice() => new(
        new DeviceId($"{_random.NextInt64():x16}{_random.NextInt64():x16}"),
        (long)(LogUniform(1e9, 64e9) * (1 - CacheShare)),
        LogUniform(5e9, 320e9),
        LogUniform(6e6, 125e6));

    private double LogUniform(double least, double most) => least * Math.Pow(most / least, _random.NextDouble());

    private TimeSpan Exponential(TimeSpan mean) => mean * -Math.Log(1 - _random.NextDouble());

    private void At(TimeSpan time, Action happens) => _events.Enqueue(happens, (time, _order++));

    private void NextDeparture() => At(_now + Exponential(TimeSpan.FromHours(1 / (_settings.ChurnPerHour * _settings.Devices))), () =>
    {
        NextDeparture();
        var candidates = _devices.Where(device => device is { IsHere: true, IsLeaving: false }).ToList();
        if (candidates.Count > 0)
        {
            Depart(candidates[_random.Next(candidates.Count)], _random.Next(2) == 0);
        }
    });

    private void Depart(SimulatedDevice device, bool says)
    {
        _departures++;
        if (says)
        {
            device.IsLeaving = true;
            Plan();
            At(_now + _settings.Drain, () => Gone(device));
        }
        else
        {
            Gone(device);
            At(_now + _settings.Notice, () =>
            {
                device.IsKnown = device.IsHere;
                Plan();
            });
        }
    }

    private void Gone(SimulatedDevice device)
    {
        Serve(device, null);
        (device.IsHere, device.IsKnown, device.Told) = (false, device.IsKnown && !device.IsLeaving, null);
        device.Turn++;
        var returns = _random.Next(2) == 0;
        if (!returns)
        {
            At(_now + _settings.Notice, () => _devices.Remove(device));
        }

        At(_now + Exponential(_settings.Absence), () =>
        {
            Join(returns ? device : NewDevice());
            Plan();
        });
    }

    private void Join(SimulatedDevice device)
    {
        (device.IsHere, device.IsKnown, device.IsLeaving, device.IsArriving) = (true, true, false, true);
        if (!_devices.Contains(device))
        {
            _devices.Add(device);
        }
    }

    private void Plan(bool isFirst = false)
    {
        var facts = _devices.Where(device => device.IsKnown).Select(device => device.Facts()).ToList();
        var start = Stopwatch.GetTimestamp();
        _plan = PlacementPlanner.Plan(_model, facts, _plan);
        _planTimes.Add(Stopwatch.GetElapsedTime(start));
        var told = _plan.Assignments.ToDictionary(assignment => assignment.Device, assignment => (LayerRange?)assignment.Range);
        foreach (var device in _devices.Where(device => device.IsHere))
        {
            var range = told.GetValueOrDefault(device.Id);
            if (device.Told != range && !device.IsLeaving)
            {
                device.Told = range;
                Follow(device, isFirst);
            }
        }
    }

    private void Follow(SimulatedDevice device, bool isFirst)
    {
        var turn = ++device.Turn;
        if (device.Told is not { } range)
        {
            Serve(device, null);
            return;
        }

        var (bytes, time) = device.Load(_costs, range);
        if (isFirst)
        {
            device.IsArriving = false;
            device.Keep(range);
            Serve(device, range);
            return;
        }

        _arrivalBytes += device.IsArriving ? bytes : 0;
        _movedBytes += device.IsArriving ? 0 : bytes;
        device.IsArriving = false;
        if (device.Serving is { } old && _costs.Bytes(old) + _costs.Bytes(range) > device.WeightBytes)
        {
            Serve(device, null);
        }

        At(_now + time, () =>
        {
            if (device.Turn == turn)
            {
                device.Keep(range);
                Serve(device, range);
            }
        });
    }

    private void Serve(SimulatedDevice device, LayerRange? range)
    {
        _served.Change(device.Serving, range);
        device.Serving = range;
    }
}
