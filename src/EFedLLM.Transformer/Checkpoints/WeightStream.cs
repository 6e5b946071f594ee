using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Reads the files of some units over and over, in order, on a thread of its own: the next one while the one before it is computed, and
/// the first ones of the next pass before that begins. Each unit has its place in one of two windows, so that whatever points into it stays
/// right. Files are read, not mapped: one that becomes shorter is an error of the pass that needs it, and not the end of the process.
/// One caller at a time, but for <see cref="Dispose"/>.
/// </summary>
internal sealed class WeightStream : IDisposable
{
    private readonly object _gate = new();
    private readonly ImmutableArray<int> _units;
    private readonly UnitReader[] _files;
    private readonly WeightMemory[] _windows;
    private readonly int[] _places;
    private bool _isReading;
    private bool _ended;
    private long _read;
    private long _done;
    private Exception? _error;

    /// <summary>Opens the files and takes the memory; nothing is read yet.</summary>
    /// <param name="units">The units, ascending, at least one.</param>
    /// <param name="files">The file of a unit, which stays open.</param>
    /// <param name="model">Number of units of the model.</param>
    /// <exception cref="FileNotFoundException">A file is not there.</exception>
    /// <exception cref="InvalidDataException">A file has another length than it should.</exception>
    /// <exception cref="OutOfMemoryException">There is not so much memory.</exception>
    public WeightStream(ImmutableArray<int> units, Func<int, UnitReader> files, int model)
    {
        _units = units;
        _files = new UnitReader[units.Length];
        _places = new int[model];
        Array.Fill(_places, -1);
        _windows = new WeightMemory[Math.Min(2, units.Length)];
        try
        {
            for (var place = 0; place < units.Length; place++)
            {
                _files[place] = files(units[place]);
                _places[units[place]] = place;
            }

            var largest = _files.Max(file => file.Length);
            for (var window = 0; window < _windows.Length; window++)
            {
                _windows[window] = WeightMemory.Allocate(largest);
            }
        }
        catch
        {
            Free();
            throw;
        }
    }

    /// <summary>Bytes of a pass.</summary>
    public long Bytes => _files.Sum(file => file.Length);

    /// <summary>Whether a unit passes through the windows.</summary>
    public bool Has(int unit) => _places[unit] >= 0;

    /// <summary>Reads a unit once, before <see cref="Start"/>, for whoever looks at what its file holds.</summary>
    /// <returns>Its path, its window, where it lies at each pass, and its length.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is shorter by now.</exception>
    public (string Path, WeightMemory Window, long Length) ReadOnce(int unit)
    {
        var place = _places[unit];
        _files[place].ReadInto(Window(place));
        return (_files[place].Path, Window(place), _files[place].Length);
    }

    /// <summary>Begins to read, the first units at once.</summary>
    public void Start()
    {
        _isReading = true;
        new Thread(Read) { IsBackground = true, Name = "efedllm reader" }.Start();
    }

    /// <summary>Before and after a pass: whatever of one is left out is not waited for. What could not be read is tried again.</summary>
    public void Rewind()
    {
        lock (_gate)
        {
            _done += (_units.Length - (_done % _units.Length)) % _units.Length;
            _error = null;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until a unit lies in its window; at once where it does not pass through one.</summary>
    /// <exception cref="IOException">Its file cannot be read; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The stream was disposed of.</exception>
    public void Await(int unit)
    {
        var place = _places[unit];
        if (place < 0)
        {
            return;
        }

        lock (_gate)
        {
            if (_done % _units.Length != place)
            {
                throw new InvalidOperationException($"Unit {unit} is not the next one of the pass.");
            }

            while (_read <= _done && _error is null && !_ended)
            {
                Monitor.Wait(_gate);
            }

            ObjectDisposedException.ThrowIf(_ended, this);
            if (_read <= _done)
            {
                throw new IOException(_error!.Message, _error);
            }
        }
    }

    /// <summary>A unit is computed: its window may be filled with another one.</summary>
    public void Done(int unit)
    {
        if (_places[unit] >= 0)
        {
            lock (_gate)
            {
                _done++;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Ends the reading; windows and files go with the thread that uses them.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            _ended = true;
            Monitor.PulseAll(_gate);
        }

        if (!_isReading)
        {
            Free();
        }
    }

    private WeightMemory Window(int place) => _windows[place & 1];

    private void Read()
    {
        while (Next() is { } next)
        {
            Exception? error = null;
            try
            {
                var place = (int)(next % _units.Length);
                _files[place].ReadInto(Window(place));
            }
            catch (Exception e)
            {
                // It is thrown where the unit is waited for.
                error = e;
            }

            lock (_gate)
            {
                if (error is null)
                {
                    _read = next + 1;
                }
                else if (_done <= next)
                {
                    _error = error;
                }

                Monitor.PulseAll(_gate);
            }
        }

        Free();
    }

    /// <summary>Waits until a window is free, and returns which unit of all passes is to be read into it; null when the stream has ended.</summary>
    private long? Next()
    {
        lock (_gate)
        {
            while (!_ended && (_error is not null || !IsFree(_read)))
            {
                Monitor.Wait(_gate);
            }

            // What was left out of a pass is not read any more.
            _read = Math.Max(_read, _done);
            return _ended ? null : _read;
        }
    }

    /// <summary>Whether what lay in a unit's window before is computed: the unit two before it, or with an odd number of units the one before the first.</summary>
    private bool IsFree(long next) => _done >= (next % _units.Length == 0 && _units.Length % 2 == 1 ? next : next - 1);

    private void Free()
    {
        foreach (var file in _files)
        {
            file?.Dispose();
        }

        foreach (var window in _windows)
        {
            window?.Dispose();
        }
    }
}
