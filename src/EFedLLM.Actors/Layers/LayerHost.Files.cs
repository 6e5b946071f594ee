using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <content>How it comes by files that it lacks.</content>
internal sealed partial class LayerHost
{
    /// <summary>A range whose files are found damaged more often than so has a broken disk under it.</summary>
    private const int MostDamages = 3;

    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    private void ReceiveFiles(BlobFetcher fetcher)
    {
        var (self, log) = (Self, _log);
        fetcher.Faulted = fault => self.Tell(fault, ActorRefs.NoSender);
        fetcher.Failed = message => log.Info("{0}", message);
        Receive<ManifestFetched>(TakeManifest);
        Receive<ManifestNotFetched>(message =>
        {
            _log.Error(message.Error, "The manifest of model {0} cannot be fetched; it is tried again with the next change of the cluster.", message.Model.Short);
            _fetches!.EndManifest(message.Model);
        });
        Receive<RangeFetched>(TakeFiles);
        Receive<BlobFault>(Report);
        Receive<TellProgress>(_ => Announce());
    }

    private void Load((ModelId Model, LayerRange Range) key, long bytes)
    {
        _entries[key] = new Entry(bytes);
        if (_fetches is null || !_library!.Lacks(key.Model, key.Range))
        {
            LoadFiles(key);
            return;
        }

        _log.Info("Fetching files of {0} of model {1}.", key.Range, key.Model.Short);
        _fetches.Start(key, _entries.Keys.SelectMany(held => _library.Names(held.Model, held.Range)).ToHashSet(StringComparer.Ordinal));
        if (!Timers.IsTimerActive(TellProgress.Instance))
        {
            Timers.StartPeriodicTimer(TellProgress.Instance, TellProgress.Instance, ProgressInterval);
        }
    }

    private void LoadFiles((ModelId Model, LayerRange Range) key)
    {
        var (self, source, store, saboteur, memory) = (Self, _library!.Find(key.Model)!, _settings.Blobs?.Store, _settings.Saboteur, _entries[key].Bytes);
        _loader.TryEnqueue(new ComputeJob(_ =>
        {
            try
            {
                if (source is FactoredModel model && FindDamage(model, key.Range, store) is { } damage)
                {
                    self.Tell(new FileDamaged(key.Model, key.Range, damage), ActorRefs.NoSender);
                    return;
                }

                store?.Touch(source is FactoredModel touched ? touched.Manifest.Files.Skip(key.Range.First).Take(key.Range.Count).Select(file => file.Sha256) : []);
                self.Tell(new RangeLoaded(key.Model, TransformerShard.Load(WarpedSource.Of(source, saboteur), key.Range, memory)), ActorRefs.NoSender);
            }
            catch (Exception e)
            {
                self.Tell(new RangeNotLoaded(key.Model, key.Range, e), ActorRefs.NoSender);
            }
        }));
    }

    /// <summary>Checks the files of a range. Without a store, the first that is damaged throws; with one, all that are damaged are given up, and the last problem is returned.</summary>
    private static Exception? FindDamage(FactoredModel model, LayerRange range, BlobStore? store)
    {
        Exception? damage = null;
        for (var unit = range.First; unit < range.End; unit++)
        {
            try
            {
                model.Verify(unit);
            }
            catch (Exception e) when (store is not null && e is (InvalidDataException or FileNotFoundException))
            {
                store.Discard(model.Manifest.Files[unit].Sha256);
                damage = e;
            }
        }

        return damage;
    }

    private void FetchAgain((ModelId Model, LayerRange Range) key, Exception error)
    {
        var entry = _entries[key];
        _log.Warning("{0} It is fetched from others.", error.Message);
        if (++entry.Damages > MostDamages)
        {
            Self.Tell(new RangeNotLoaded(key.Model, key.Range, error));
            return;
        }

        var damages = entry.Damages;
        Load(key, entry.Bytes);
        _entries[key].Damages = damages;
    }

    private void TakeManifest(ManifestFetched message)
    {
        _fetches!.EndManifest(message.Model);
        try
        {
            _library!.Add(message.Model);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            _log.Error(e, "Model {0} cannot be used.", message.Model.Short);
            return;
        }

        Announce();
        Follow();
    }

    private void TakeFiles(RangeFetched message)
    {
        var key = (message.Model, message.Range);
        _log.Info("Fetched {0} bytes for {1} of model {2}; {3} of them were there from before.", message.Bytes, message.Range, message.Model.Short, message.Before);
        EndFetch(key);
        LoadFiles(key);
        Announce();
    }

    private void EndFetch((ModelId Model, LayerRange Range) key)
    {
        _fetches?.End(key);
        if (_fetches is { Progress.IsEmpty: true })
        {
            Timers.Cancel(TellProgress.Instance);
        }
    }

    private void Report(BlobFault fault)
    {
        var what = fault.Unit < 0 ? "the manifest" : $"the file of unit {fault.Unit}";
        _log.Warning(
            "Device {0} ({1}) gave something else for {2} of model {3}: what came does not have its SHA-256. It is not asked for that any more; the ledger is told.",
            fault.Peer.Short, fault.Name, what, fault.Model.Short);
        var unit = Math.Max(fault.Unit, 0);
        _settings.Report?.Invoke(new WorkReport(fault.Peer, SessionId.New(), fault.Model, new LayerRange(unit, unit + 1), WorkOutcome.Corrupt, 0));
    }
}
