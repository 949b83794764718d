//! Finding the name to which a statement assigns the result of a call, from the bytecode of `CPython`.
//!
//! The hazard it handles: bytecode differs between versions of Python. So it is not interpreted: the instructions after
//! the call are scanned up to the first that stores or drops a value. An instruction is two bytes, an opcode and its
//! argument (since Python 3.6); the names of the opcodes come from the interpreter (`dis.opname`).

/// How many instructions are scanned after a call. Results of longer expressions are not names.
const MAX_INSTRUCTIONS: usize = 300;

/// Instructions that consume a value without storing it: a comparison, a branch, or a pop.
const DROPS: [&str; 8] = [
    "POP_TOP",
    "COMPARE_OP",
    "CONTAINS_OP",
    "IS_OP",
    "UNARY_NOT",
    "RAISE_VARARGS",
    "FOR_ITER",
    "RETURN_CONST",
];

/// What happens to the result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is stored in a global variable or one of a class, with this number among the names of the code.
    Name(usize),
    /// It is stored in an attribute, with this number among the names of the code.
    Attribute(usize),
    /// It is stored under a key, with this number among the constants of the code if it is one.
    Key(Option<usize>),
    /// It is stored in a variable of a function.
    Variable,
    /// It is returned or yielded.
    Returned,
    /// None of these.
    Dropped,
}

/// The effect of an opcode, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    ExtendedArgument,
    StoreName,
    StoreAttribute,
    StoreKey,
    /// Stores one value in a variable of the function, or two.
    StoreLocal(isize),
    StoreOther,
    Return,
    Drop,
    /// Ends the loop of an inlined comprehension, and drops a value elsewhere (`POP_TOP`).
    PopTop,
    EndFor,
    PopIterator,
    Swap,
    JumpForward,
    LoadConstant,
    Other,
}

impl Opcode {
    fn of(name: &str) -> Self {
        match name {
            "EXTENDED_ARG" => Self::ExtendedArgument,
            "STORE_NAME" | "STORE_GLOBAL" => Self::StoreName,
            "STORE_ATTR" => Self::StoreAttribute,
            "STORE_SUBSCR" => Self::StoreKey,
            "STORE_FAST_STORE_FAST" => Self::StoreLocal(2),
            "RETURN_VALUE" | "YIELD_VALUE" => Self::Return,
            "POP_TOP" => Self::PopTop,
            "END_FOR" => Self::EndFor,
            "POP_ITER" => Self::PopIterator,
            "SWAP" => Self::Swap,
            "JUMP_FORWARD" => Self::JumpForward,
            "LOAD_CONST" => Self::LoadConstant,
            _ if name.starts_with("STORE_FAST") || name.starts_with("STORE_DEREF") => Self::StoreLocal(1),
            _ if name.starts_with("STORE_") => Self::StoreOther,
            _ if DROPS.contains(&name) || name.starts_with("POP_JUMP") => Self::Drop,
            _ => Self::Other,
        }
    }

    /// How many values it stores.
    fn stored(self) -> isize {
        match self {
            Self::StoreLocal(count) => count,
            Self::StoreName | Self::StoreAttribute | Self::StoreKey | Self::StoreOther => 1,
            _ => 0,
        }
    }

    /// Whether it may follow the loop of an inlined comprehension (since Python 3.12), before its variables are restored.
    fn ends_loop(self) -> bool {
        matches!(self, Self::EndFor | Self::PopTop | Self::PopIterator | Self::Swap)
    }
}

/// The opcodes of a version of Python.
#[derive(Debug, Clone)]
pub struct Opcodes(Vec<Opcode>);

impl Opcodes {
    /// The opcodes with these names, by their numbers.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(names.into_iter().map(|name| Opcode::of(name.as_ref())).collect())
    }

    /// What happens to the result of the instruction at offset `last` of some code, negative before the first one. Local variables of code that is not
    /// that of a function belong to comprehensions.
    #[must_use]
    pub fn use_of_result(&self, code: &[u8], last: isize, is_function: bool) -> Use {
        let Ok(last) = usize::try_from(last) else {
            return Use::Dropped;
        };
        let mut at = last + 2;
        let mut end = at + 2 * MAX_INSTRUCTIONS;
        let (mut extended, mut constant, mut is_after_loop, mut put_back) = (0, None, false, 0);
        while at + 1 < code.len().min(end) {
            let opcode = self
                .0
                .get(usize::from(code[at]))
                .copied()
                .unwrap_or(Opcode::Other);
            let argument = usize::from(code[at + 1]) | extended;
            at += 2;
            extended = if opcode == Opcode::ExtendedArgument {
                argument << 8
            } else {
                0
            };
            if opcode == Opcode::EndFor || (is_after_loop && opcode.ends_loop()) {
                is_after_loop = opcode != Opcode::Swap;
                // What lies below the comprehension's variables is put back first.
                put_back = if is_after_loop {
                    0
                } else {
                    isize::try_from(argument).unwrap_or_default() - 1
                };
                continue;
            }
            is_after_loop = false;
            if opcode.stored() > 0 && put_back > 0 {
                put_back -= opcode.stored();
                if put_back >= 0 {
                    continue;
                }
            }
            match opcode {
                Opcode::StoreName => return Use::Name(argument),
                Opcode::StoreAttribute => return Use::Attribute(argument),
                Opcode::StoreKey => return Use::Key(constant),
                Opcode::StoreLocal(_) if is_function => return Use::Variable,
                Opcode::Return => return Use::Returned,
                Opcode::Drop | Opcode::PopTop => return Use::Dropped,
                Opcode::JumpForward => {
                    at = (at + 2 * argument).min(code.len());
                    end = at + 2 * MAX_INSTRUCTIONS;
                }
                Opcode::LoadConstant => constant = Some(argument),
                _ => {}
            }
        }
        Use::Dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 14] = [
        "CALL",
        "STORE_NAME",
        "STORE_ATTR",
        "STORE_SUBSCR",
        "STORE_FAST",
        "RETURN_VALUE",
        "POP_TOP",
        "END_FOR",
        "SWAP",
        "JUMP_FORWARD",
        "LOAD_CONST",
        "EXTENDED_ARG",
        "STORE_FAST_STORE_FAST",
        "POP_JUMP_IF_TRUE",
    ];

    /// The use of the result of a call that these instructions follow.
    fn after(instructions: &[(&str, u8)], is_function: bool) -> Use {
        let number = |wanted: &str| NAMES.iter().position(|name| *name == wanted).expect("an opcode");
        let bytes = |(name, argument): &(&str, u8)| [u8::try_from(number(name)).expect("a byte"), *argument];
        let code: Vec<u8> = [("CALL", 0)].iter().chain(instructions).flat_map(bytes).collect();
        Opcodes::new(NAMES).use_of_result(&code, 0, is_function)
    }

    #[test]
    fn the_first_instruction_that_stores_or_drops_decides() {
        assert_eq!(after(&[("CALL", 0), ("STORE_NAME", 3)], false), Use::Name(3));
        assert_eq!(
            after(&[("STORE_ATTR", 2), ("STORE_NAME", 3)], false),
            Use::Attribute(2)
        );
        assert_eq!(
            after(&[("LOAD_CONST", 7), ("STORE_SUBSCR", 0)], false),
            Use::Key(Some(7))
        );
        assert_eq!(after(&[("STORE_SUBSCR", 0)], false), Use::Key(None));
        assert_eq!(after(&[("RETURN_VALUE", 0)], true), Use::Returned);
        assert_eq!(after(&[("POP_TOP", 0), ("STORE_NAME", 3)], false), Use::Dropped);
        assert_eq!(
            after(&[("POP_JUMP_IF_TRUE", 0), ("STORE_NAME", 3)], false),
            Use::Dropped
        );
        assert_eq!(after(&[], false), Use::Dropped);
    }

    #[test]
    fn local_variables_are_those_of_functions_only() {
        assert_eq!(
            after(&[("STORE_FAST", 0), ("STORE_NAME", 3)], true),
            Use::Variable
        );
        assert_eq!(
            after(&[("STORE_FAST", 0), ("STORE_NAME", 3)], false),
            Use::Name(3)
        );
    }

    #[test]
    fn jumps_and_long_arguments_are_followed() {
        assert_eq!(
            after(&[("JUMP_FORWARD", 1), ("POP_TOP", 0), ("STORE_NAME", 3)], false),
            Use::Name(3)
        );
        assert_eq!(after(&[("JUMP_FORWARD", 255)], false), Use::Dropped);
        assert_eq!(
            after(&[("EXTENDED_ARG", 1), ("STORE_NAME", 3)], false),
            Use::Name(259)
        );
    }

    #[test]
    fn variables_restored_after_an_inlined_comprehension_are_skipped() {
        let restored = [
            ("END_FOR", 0),
            ("POP_TOP", 0),
            ("SWAP", 2),
            ("STORE_FAST", 0),
            ("STORE_NAME", 3),
        ];
        assert_eq!(after(&restored, true), Use::Name(3));
        let two = [
            ("END_FOR", 0),
            ("SWAP", 3),
            ("STORE_FAST_STORE_FAST", 0),
            ("STORE_NAME", 3),
        ];
        assert_eq!(after(&two, true), Use::Name(3));
        let own = [
            ("END_FOR", 0),
            ("SWAP", 2),
            ("STORE_FAST_STORE_FAST", 0),
            ("STORE_NAME", 3),
        ];
        assert_eq!(after(&own, true), Use::Variable);
    }

    #[test]
    fn results_of_very_long_expressions_are_not_followed() {
        let mut long = vec![("CALL", 0); MAX_INSTRUCTIONS];
        long.push(("STORE_NAME", 3));
        assert_eq!(after(&long, false), Use::Dropped);
        assert_eq!(after(&long[1..], false), Use::Name(3));
    }
}
