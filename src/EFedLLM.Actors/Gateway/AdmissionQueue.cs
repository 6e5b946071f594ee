namespace EFedLLM.Actors.Gateway;

/// <summary>What comes of a request for a place.</summary>
internal enum Admission
{
    /// <summary>It has a place.</summary>
    Admitted,

    /// <summary>It waits for one.</summary>
    Queued,

    /// <summary>Too many wait already.</summary>
    Refused,
}

/// <summary>The gateway's places, and who waits for one: first come, first served.</summary>
/// <param name="places">Most at a time.</param>
/// <param name="mostWaiting">Most that wait.</param>
internal sealed class AdmissionQueue<T>(int places, int mostWaiting)
    where T : class
{
    private readonly LinkedList<T> _waiting = new();

    /// <summary>Places taken.</summary>
    public int Taken { get; private set; }

    /// <summary>How many wait.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Asks for a place.</summary>
    public Admission Enter(T who)
    {
        if (Taken < places)
        {
            Taken++;
            return Admission.Admitted;
        }

        if (_waiting.Count >= mostWaiting)
        {
            return Admission.Refused;
        }

        _waiting.AddLast(who);
        return Admission.Queued;
    }

    /// <summary>Leaves: gives up the wait, or the place.</summary>
    /// <returns>Who gets the place now, or null.</returns>
    public T? Leave(T who)
    {
        if (_waiting.Remove(who))
        {
            return null;
        }

        if (_waiting.First is { } first)
        {
            _waiting.RemoveFirst();
            return first.Value;
        }

        Taken--;
        return null;
    }
}
