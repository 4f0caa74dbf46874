import type { Plugin } from 'graphql-yoga';
import { GraphQLError, Kind, OperationTypeNode, type ASTVisitor, type ValidationContext } from 'graphql';

/** Many attempts in one request would pass every limit that counts requests. */
const MOST = 5;

function MutationLimitRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(node) {
      if (node.operation !== OperationTypeNode.MUTATION) return;
      const fields = node.selectionSet.selections.filter((selection) => selection.kind === Kind.FIELD);
      const hasFragments = fields.length < node.selectionSet.selections.length;
      if (fields.length > MOST || hasFragments)
        context.reportError(
          new GraphQLError(`A mutation has at most ${MOST} root fields, and no fragments among them.`, {
            nodes: [node],
            extensions: { code: 'QUERY_TOO_LARGE' },
          }),
        );
    },
  };
}

export function useMutationLimit(): Plugin {
  return {
    onValidate({ addValidationRule }) {
      addValidationRule(MutationLimitRule);
    },
  };
}
