namespace EFedLLM.Actors.Identity;

/// <summary>What something is signed for: all that any key of a cluster signs, certificates apart.</summary>
public enum StatementPurpose
{
    /// <summary>A device says what came into a unit of work and what came out (<see cref="Trust.Receipt"/>). Its epoch is the route's.</summary>
    Receipt = 1,

    /// <summary>A device shows that it has its key and wants this certificate. Before it is a member there is no epoch: 0.</summary>
    Enrolment = 2,

    /// <summary>The cluster's authority keeps a device out, or lets it in again. Its epoch is the decision's version.</summary>
    Revocation = 3,

    /// <summary>A device gives again what it gave or got (<see cref="Protocol.KeptRows"/>). Its epoch is the route's.</summary>
    Opening = 4,

    /// <summary>A verifier says what it was given and what should have come out (<see cref="Protocol.UnitRecomputed"/>). Its epoch is the check's.</summary>
    Answer = 5,

    /// <summary>A node tells the ledger what a device did (<see cref="Protocol.RecordWork"/>). There is no epoch: 0.</summary>
    Report = 6,
}
