"""The files of the Clus benchmark: SHA-256 of their ARFF text, and where they are."""

__all__ = ["MAX_PUBLISHED", "MIRRORS", "SHA256", "path_there"]

MAX_PUBLISHED = 2**24  # bytes; the largest of the texts has a fifth of them

# The repository of C-HMCNN (Giunchiglia and Lukasiewicz, 2020) has all these texts; at
# this commit their hashes are those below. It can be had from two places.
REPOSITORY, COMMIT = "EGiunchiglia/C-HMCNN", "e887855ab4b3b8f22e4fafc80a0a33c1d1ac0041"
MIRRORS = (
    f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/HMC_data",
    f"https://github.com/{REPOSITORY}/raw/{COMMIT}/HMC_data",
)
OTHER_NAMES = {
    "diatoms": {"train": "Diatoms_train", "test": "Diatoms_test"},
    "enron": {"train": "Enron_corr_trainvalid", "test": "Enron_corr_test"},
    "imclef07a": {"train": "ImCLEF07A_Train", "test": "ImCLEF07A_Test"},
}

SHA256 = {
    "cellcycle_FUN": {
        "train": "4c97ccf6f15b49392b3bda7fec1f601ed921746ef0b78d6fcd4c85a0424dfd66",
        "valid": "8914f37522a484ce1790625e4993d89eed73ce4f6d667711c691a389e3a4f982",
        "test": "2dd7798e23375743b2e31e0236d9a6cb7a73351a777efe381946105417fd1299",
    },
    "church_FUN": {
        "train": "e8bce577579698c81f180d6d34614379c6bbd91f326b7eb3704edcbea67910c2",
        "valid": "9e8ae10a09ae6770ea5e09cfb5aaf8b2343a102e6de1ea9f59cc9e58f511ec84",
        "test": "ce9441f12777a3cea8d1ece41301a2e1e12477be232c984b2d13b77ad928c96e",
    },
    "eisen_FUN": {
        "train": "6c92516517f6bb041ae1058fc948444bc3117e0c3b394743d33765122da89fbb",
        "valid": "f60f30c2806818ea840bb65fe8758a0da6cd257c0827b43661f77fab5ccaf091",
        "test": "bb55674c313f9916f5b3ee675d6bc0e7463216f927035de28a539187cdc31dc1",
    },
    "gasch1_FUN": {
        "train": "bc4615eb1cc93e5db3c757410f81dffce3eb3e39fd98924de4b78f568c344618",
        "valid": "07b42428dca0b88731f35d7461a23502410eb648aee12b770fa82d90eb31337d",
        "test": "cab4d135b93adea14c65364d38d302fd3d09b287fc0cba1d58acc2b2f63307b7",
    },
    "pheno_FUN": {
        "train": "e8cf9e3a570cfff01e49f249924566c410ec2a7cd41b21962cad5842c699c282",
        "valid": "65e439d1603c91b9ccf1f4533f22ce1c5723210c8c246d4ffa3a364d4f74bede",
        "test": "0c35da682bb9c40acb7d5f96626f95a370ccdcb4d249b9e0c1dda6d1d7805904",
    },
    "seq_FUN": {
        "train": "619ada644b8c3e5c7d2aef0a56bf24797e4c844954ec5bc75f7b984521ba475c",
        "valid": "564effba89ad5c3a7d3992e841cf9d9165648b075815113ec31b5c16e91cd4bd",
        "test": "1336093a2b6712000f04db55cd36bc3fc0d799a0551f173f5b47a04191c29dd9",
    },
    "cellcycle_GO": {
        "train": "84b1e37e1b8db8361d77808fcd2fd565ea42fc1f4a26401a314f9d28d48a56be",
        "valid": "d0a95ce316e388231a3dd4261a39a0765aa27e7c232fe2cc302415798cd77dec",
        "test": "7fc5630e627e18b77f6531f7f4c8072813f6099872039e85091ba1ca4a9161ef",
    },
    "eisen_GO": {
        "train": "f676731f646932e80675136a63c54fb3a65ccdf73dd5c6e4e5e8e6e37c4ccb38",
        "valid": "2f86e74250a146c731cffbd7e1bccf4bae909cb7901d054641910bc935a50da9",
        "test": "7553824793bf0cef4e220e26784e29b617bbd5c8346657a451384a3d61feffb2",
    },
    "gasch1_GO": {
        "train": "505da8e15b6e9a5efb21864372f81470ee0f32d9bf4a296c26eb78ee69ebdc79",
        "valid": "5997a129c0d5a5e7e891c27fccf65c51337d7aaf4c66ab77e9302c5ea067b868",
        "test": "bc2895f1062504482698a9b5e041427756888e513774d091d5f68cccb8011a93",
    },
    "pheno_GO": {
        "train": "b61faebc8757404b4d2b87e81f6fcdb0361871288d988760283caa35c9c23a61",
        "valid": "d253270986d4b32b4675a28aa54ec17b9c4f4bdf5ae92ba439cdd31aff67cf6a",
        "test": "e046da0252bc460127e47febe8f67ce55cd3ed90c385477f8986cf5e0ca7d8a8",
    },
    "seq_GO": {
        "train": "19ffacc00e7d673c480184f72e584e726e5b3336d78ef0778a99ae4511b5c177",
        "valid": "0ee091a9c315ac6ee0a1711c1b85fc1d85c80a77f0b5620034dbfe8b7e41562b",
        "test": "378555eadd9771876d69ddcb9fbc87fb1d6d0537b1244db0f1bbfc2d025e40db",
    },
    "diatoms": {
        "train": "19baf9a53db0d3e636481c3b80d0f6532ddb9586f829e22c9cb326effc917e36",
        "test": "04c4ae6e90297e3da1771615f0ac2a535a0ea5bd4c0625d43052b5130e2f6a09",
    },
    "enron": {
        "train": "8265622b84c9ebe6603b64ad5ce82d78ed8709bd66793b80f14f0018d5ef51bf",
        "test": "1ae0864a6574b14a5e1b9d614d38ae66ede8c0a253774161dfdf42ebe6d49d11",
    },
    "imclef07a": {
        "train": "fe240039db5272579924897bcac6c0c38b6cb117277aa49281a2ec936b01e7c9",
        "test": "e95c33e0bc8a23be9b093bc34268404c47f304739bd73eceda58f8cbc42a90fb",
    },
}


def path_there(name: str, split: str) -> str:
    """Return the path of a file below ``MIRRORS``."""
    if name in OTHER_NAMES:
        return f"others/{OTHER_NAMES[name][split]}.arff"
    kind = name.rpartition("_")[2]
    return f"datasets_{kind}/{name}/{name}.{split}.arff"
