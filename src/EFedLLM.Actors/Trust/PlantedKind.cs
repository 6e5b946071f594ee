namespace EFedLLM.Actors.Trust;

/// <summary>What a check is.</summary>
public enum PlantedKind
{
    /// <summary>A real one.</summary>
    None = 0,

    /// <summary>One whose right answer is known, of a result that is right: a verifier that calls it wrong lies or is broken.</summary>
    Right = 1,

    /// <summary>One whose right answer is known, of a result that was made wrong: a verifier that lets it pass does not compute.</summary>
    Wrong = 2,
}
